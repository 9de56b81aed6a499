"""Orders of events that arrows and guards decide; what they do not decide is allowed."""

from trajsim.gmf.legality import EventOrders, event_orders
from trajsim.gmf.library import bundled_modules_root, load_modules
from trajsim.testing.modules import Json, sound_module

YEAR: Json = {"quantity": 1, "unit": "years"}
DEATHS = {("first", "death"), ("second", "death")}


def wait(then: str, **events: str) -> Json:
    return {"type": "Delay", "exact": YEAR, "direct_transition": then, "trajsim": {"events": events}}


def either(first: str, second: str) -> Json:
    options = [{"transition": first, "distribution": 0.5}, {"transition": second, "distribution": 0.5}]
    return {"type": "Simple", "distributed_transition": options}


def orders(*modules: dict[str, Json]) -> EventOrders:
    keyed = {str(number): sound_module(states) for number, states in enumerate(modules)}
    return event_orders(keyed, ["first", "second", "death"])


CHAIN: dict[str, Json] = {
    "Initial": {"type": "Initial", "direct_transition": "Well"},
    "Well": wait("Ill", first="Ill"),
    "Ill": {"type": "SetAttribute", "attribute": "ill", "value": True, "direct_transition": "Worse"},
    "Worse": wait("End", second="End"),
    "End": {"type": "Terminal"},
}


def test_a_chain_has_an_order() -> None:
    assert orders(CHAIN) == EventOrders(
        needs=frozenset({("second", "first")}), excludes=frozenset({("first", "second")})
    )


def test_what_goes_round_or_lies_in_two_modules_is_free() -> None:
    for start in ("Initial", "Well"):
        loop = {**CHAIN, "Worse": wait(start, second=start)}
        assert orders(loop) == EventOrders(needs=frozenset({("second", "first")}), excludes=frozenset())
    apart: dict[str, Json] = {
        "Initial": {"type": "Initial", "direct_transition": "Well"},
        "Well": wait("End", second="End"),
        "End": {"type": "Terminal"},
    }
    alone = {**CHAIN, "Worse": {"type": "Terminal"}}
    assert orders(alone, apart) == EventOrders(needs=frozenset(), excludes=frozenset())


def test_of_two_that_end_one_wait_the_first_decides() -> None:
    one: dict[str, Json] = {
        "Initial": {"type": "Initial", "direct_transition": "Well"},
        "Well": {
            "type": "Delay",
            "exact": YEAR,
            "distributed_transition": either("A", "B")["distributed_transition"],
            "trajsim": {"events": {"first": "A", "second": "B"}},
        },
        "A": {"type": "Terminal"},
        "B": {"type": "Terminal"},
    }
    both = frozenset({("first", "second"), ("second", "first")})
    assert orders(one) == EventOrders(needs=frozenset(), excludes=both)


def test_a_guard_carries_the_order_into_another_module() -> None:
    waits: dict[str, Json] = {
        "Initial": {"type": "Initial", "direct_transition": "Ill Already"},
        "Ill Already": {
            "type": "Guard",
            "allow": {"condition_type": "Attribute", "attribute": "ill", "operator": "==", "value": True},
            "direct_transition": "Worse",
        },
        "Worse": wait("End", second="End"),
        "End": {"type": "Terminal"},
    }
    alone = {**CHAIN, "Worse": {"type": "Terminal"}}
    assert orders(alone, waits) == EventOrders(
        needs=frozenset({("second", "first")}), excludes=frozenset({("first", "second")})
    )
    elsewhere: dict[str, Json] = {
        "Initial": {"type": "Initial", "direct_transition": "Ill"},
        "Ill": {"type": "SetAttribute", "attribute": "ill", "value": True, "direct_transition": "End"},
        "End": {"type": "Terminal"},
    }
    assert orders(alone, waits, elsewhere) == EventOrders(needs=frozenset(), excludes=frozenset())


def test_nothing_comes_after_death() -> None:
    dies: dict[str, Json] = {
        "Initial": {"type": "Initial", "direct_transition": "Alive"},
        "Alive": wait("Dead", death="Dead"),
        "Dead": {"type": "Death", "direct_transition": "End"},
        "End": {"type": "Terminal"},
    }
    found = orders(CHAIN, dies)
    assert found.excludes >= DEATHS
    assert found.needs == {("second", "first")}


def test_bundled_modules_allow_everything_but_angina_after_an_infarction() -> None:
    events = [
        "hypertension", "diabetes", "dyslipidemia", "fatty_liver", "myocardial_infarction", "angina", "stroke",
        "atrial_fibrillation", "heart_failure", "cardiac_arrest",
    ]  # fmt: skip
    found = event_orders(load_modules(bundled_modules_root()).modules, events)
    assert found == EventOrders(needs=frozenset(), excludes=frozenset({("angina", "myocardial_infarction")}))
