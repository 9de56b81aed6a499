"""Rules GMF1xx: the form of a file. They are found while the file is read (`trajsim.gmf.parse`)."""

from trajsim.gmf.rules.rule import error, info, warning

RULES = (
    error(
        "GMF101",
        "the file is not JSON",
        "A file that cannot be decoded holds no module. The message gives line and column of the first fault.",
        "Correct the syntax at the place named: usually a comma, a quote or a bracket. Save the file as UTF-8.",
    ),
    error(
        "GMF102",
        "a key is given twice in one object",
        "JSON decoders keep the last and drop the first in silence: a state defined twice loses one of its meanings.",
        "Rename one of the two, or remove the one that is not meant.",
    ),
    error(
        "GMF103",
        "a required key is missing or blank",
        "The engine cannot guess what the state, condition or option should do without it.",
        "Add the key that the message names.",
    ),
    error(
        "GMF104",
        "a value is of the wrong kind",
        "A text where a number is expected (or the reverse) would fail, or be read as something else, inside a run.",
        "Write the kind of value that the message asks for; numbers and booleans stand without quotes.",
    ),
    error(
        "GMF105",
        "the state type is unknown",
        "A state's `type` decides what it does. Synthea refuses an unknown type, and so do we.",
        "Use one of GMF's types, spelled without blanks, as in `ConditionOnset`.",
    ),
    error(
        "GMF106",
        "the condition type is unknown",
        "A condition that cannot be read cannot be tested, and no default is safe.",
        "Use one of GMF's condition types, as in `Active Condition`; blanks do not matter.",
    ),
    error(
        "GMF107",
        "no state is called Initial",
        "A module starts in the state *named* `Initial`, whatever its type. Without it, it has no start.",
        "Name the first state `Initial`.",
    ),
    error(
        "GMF108",
        "a state has no transition",
        "Only a Terminal may be the end of the road. From any other state the patient could neither go on nor finish.",
        "Give the state a transition, or make it a Terminal.",
    ),
    error(
        "GMF109",
        "a list is empty that needs an entry",
        "A transition without options leads nowhere, and a clinical state without a code records nothing.",
        "Fill the list, or remove the state.",
    ),
    info(
        "GMF110",
        "a key is ignored",
        "GMF ignores keys that it does not know. That is useful for notes, and hides misspellings.",
        "If the key was meant to do something, correct its spelling; otherwise leave it or remove it.",
    ),
    error(
        "GMF111",
        "a word is not one of those allowed",
        "Units of time, kinds of distribution, encounter classes and the like come from fixed lists.",
        "Use one of the words that the message lists.",
    ),
    error(
        "GMF112",
        "a distribution lacks a parameter",
        "Each kind of distribution needs its own parameters: EXACT `value`; UNIFORM `low`, `high`; GAUSSIAN `mean`, "
        "`standardDeviation`; EXPONENTIAL `mean`; TRIANGULAR `min`, `mode`, `max`.",
        "Add the parameter that the message names.",
    ),
    error(
        "GMF113",
        "a unit is missing or blank",
        "A time without a unit has no length, and an observed number without a unit cannot be exported.",
        "Give the unit; for a plain number write `{#}`.",
    ),
    warning(
        "GMF114",
        "a state has several transitions",
        "Only one counts: direct, distributed, conditional, complex, lookup table, type of care, in this order.",
        "Remove the transitions that never count.",
    ),
    warning(
        "GMF115",
        "a value is never used because another one wins",
        "Where a state gives its value in several ways, only one counts: the old form (`exact`, `range`, `duration`) "
        "before the new one (`distribution`), and a literal before a vital sign.",
        "Keep the one that is meant.",
    ),
    warning(
        "GMF116",
        "an observation has no value",
        "It records a code with a null value, which most readers of the output take for an error.",
        "Give it one of the ways to set a value.",
    ),
    error(
        "GMF117",
        "the file is written for a newer GMF",
        "Synthea refuses a `gmf_version` above 2.0: a newer version may give old keys a new meaning.",
        "Use a newer trajsim, or set `gmf_version` to 2.",
    ),
    error(
        "GMF118",
        "an expression cannot be understood",
        "Expressions are a part of HL7 CQL: numbers, `+ - * / ^`, comparisons, `and`, `or`, `not`, "
        "`if ... then ... else`, Min, Max, Abs, Round, Ln, Exp, and `#{name}` for attributes and vital signs.",
        "Correct the expression, or compute the value with states.",
    ),
    error(
        "GMF119",
        "a binding to a learned model is not understood",
        "The key `trajsim` binds a Delay to events (`event`, or `events` with a target state for each) and a state "
        "that measures or sets a value to a measurement (`lab`). Anything else would be ignored in silence.",
        "Bind a Delay by `event` or `events`; an Observation, a child of a panel or report, a VitalSign or a "
        "SetAttribute by `lab`.",
    ),
)
