"""The numbers of the virtual machine: what compiled states, conditions and transitions are called."""

import enum


class Opcode(enum.IntEnum):
    """What a compiled state does."""

    PASS = 0
    TERMINAL = 1
    CALL = 2
    GUARD = 3
    DELAY = 4
    SET_ATTRIBUTE = 5
    COUNTER = 6
    ENCOUNTER = 7
    WELLNESS = 8
    ENCOUNTER_END = 9
    SYMPTOM = 10
    CONDITION_ONSET = 11
    ALLERGY_ONSET = 12
    END_ENTRY = 13
    MEDICATION = 14
    CAREPLAN = 15
    PROCEDURE = 16
    OBSERVATION = 17
    MULTI_OBSERVATION = 18
    REPORT = 19
    VITAL_SIGN = 20
    IMAGING = 21
    DEVICE = 22
    SUPPLIES = 23
    VACCINE = 24
    DEATH = 25
    CHILD = 26


class TransitionOp(enum.IntEnum):
    """How a compiled state chooses its successor."""

    NONE = 0
    DIRECT = 1
    DISTRIBUTED = 2
    CONDITIONAL = 3
    COMPLEX = 4
    LOOKUP = 5
    TYPE_OF_CARE = 6


class Draw(enum.IntEnum):
    """Kind of a distribution."""

    NONE = 0
    EXACT = 1
    UNIFORM = 2
    GAUSSIAN = 3
    EXPONENTIAL = 4
    TRIANGULAR = 5


class Tag(enum.IntEnum):
    """Kind of an attribute's value while a life runs."""

    NIL = 0
    NUMBER = 1
    INTEGER = 2
    BOOLEAN = 3
    STRING = 4
    CODE = 5
    ENTRY = 6
    PLACEHOLDER = 7
    SERIES = 8


class Test(enum.IntEnum):
    """Atom of a compiled condition."""

    NIL = 0
    NOT_NIL = 1
    NUMBER = 2
    BOOLEAN = 3
    STRING = 4
    CODE = 5
    NO_VALUE = 6
    AGE_YEARS = 7
    AGE_MONTHS = 8
    DATE_YEAR = 9
    DATE_MONTH = 10
    DATE_INSTANT = 11
    SAME_TEXT = 12
    SYMPTOM = 13
    OBSERVATION = 14
    OBSERVATION_ATTRIBUTE = 15
    VITAL_SIGN = 16
    PRESENT = 17
    PRESENT_ATTRIBUTE = 18
    PRIOR_STATE = 19
    COUNT_RESET = 20
    COUNT_ADD = 21
    COUNT_TEST = 22


class Compare(enum.IntEnum):
    """Comparison of an atom."""

    EQ = 0
    NE = 1
    LT = 2
    LE = 3
    GT = 4
    GE = 5
    NIL = 6
    NOT_NIL = 7
    UNKNOWN = 8


class SetMode(enum.IntEnum):
    """Where SetAttribute takes its value from."""

    DRAW = 0
    NUMBER = 1
    INTEGER = 2
    BOOLEAN = 3
    STRING = 4
    CODE = 5
    COPY = 6
    CLEAR = 7
    SERIES = 8
    EXPRESSION = 9


class SignMode(enum.IntEnum):
    """Where VitalSign takes its value from; a generator draws at every read."""

    CONSTANT = 1
    GENERATOR = 2
    EXPRESSION = 3


class ObservedMode(enum.IntEnum):
    """Where an observation takes its value from."""

    NULL = 0
    DRAW = 1
    STRING = 2
    BOOLEAN = 3
    CODE = 4
    ATTRIBUTE = 5
    VITAL_SIGN = 6


class ExpressionOp(enum.IntEnum):
    """Instruction of a compiled expression; each has one argument."""

    END = 0
    NULL = 1
    NUMBER = 2  # offset in the float heap
    BOOLEAN = 3
    TEXT = 4
    AGE = 5
    SIGN = 6
    ATTRIBUTE = 7
    TRUTH = 8  # anything but a boolean becomes null
    NOT = 9
    NEGATE = 10
    AND = 11
    OR = 12
    JUMP = 13
    JUMP_UNLESS = 14  # takes the test; jumps if it is false or null
    JUMP_IF_FALSE = 15  # leaves the left side of an `and` that decides
    JUMP_IF_TRUE = 16
    ADD = 17
    SUBTRACT = 18
    MULTIPLY = 19
    DIVIDE = 20
    POWER = 21
    EQ = 22
    NE = 23
    LT = 24
    LE = 25
    GT = 26
    GE = 27
    MIN = 28  # argument: number of operands
    MAX = 29
    ABS = 30
    ROUND = 31
    LN = 32
    EXP = 33


class EndMode(enum.IntEnum):
    """How an ...End state finds its entry."""

    STATE = 0
    ATTRIBUTE = 1
    CODES = 2
    NOTHING = 3


class Threshold(enum.IntEnum):
    """Instants at which a guard's condition may change by time alone."""

    AGE_MONTHS = 0
    INSTANT = 1


class Log(enum.IntEnum):
    """Rows of the visit log."""

    CREATE = 0
    PUSH = 1
    RUN = 2
    EXIT = 3
    FINISH_CALL = 4


class ExitStatus(enum.IntEnum):
    """How the virtual machine returned."""

    DONE = 0
    FULL = 1
    BUDGET = 2
    DEPTH = 3
    ASK = 4
    NO_NUMBER = 5

    @property
    def sentence(self) -> str:
        """What happened, in words."""
        return {
            ExitStatus.DONE: "the life is finished",
            ExitStatus.FULL: "a buffer is full and must grow",
            ExitStatus.BUDGET: "the step budget is used up: the module goes round without time passing",
            ExitStatus.DEPTH: "submodules call each other more than 60 levels deep",
            ExitStatus.ASK: "a learned model must be asked",
            ExitStatus.NO_NUMBER: "an answer of the learned model is not a number",
        }[self]


class Note(enum.IntFlag):
    """What the lifecycle notes at a turn for values that are drawn later in the step."""

    DIABETES = 1
    PREDIABETES = 2
    HYPERTENSION = 4
    CONTROLLED = 8
    OSTEOPOROSIS = 16
    CORONARY_HEART_DISEASE = 32
    VENTRICULAR_HYPERTROPHY = 64
    SMOKER = 128
    CHF = 256
    ATRIAL_FIBRILLATION = 512


class GuardPoll(enum.IntEnum):
    """When a guard is tested although nothing that it watches has changed."""

    NEVER = 0
    ALWAYS = 1
    ONCE_DYING = 2


class Mention(enum.IntFlag):
    """What a state mentions of the attributes that are written only then."""

    SIMPLE = 1
    VASCULAR = 2
    DISABLED = 4
    FIBRILLATION = 8
    STROKE = 16


class Question(enum.IntEnum):
    """Why a learned model is asked (docs/draws.md, section 11)."""

    NONE = 0
    FIRST = 1
    REFRESH = 2
    TOGETHER = 3
    STEP = 4
    READING = 5
