"""The patient-driven simulation: people of the Records meet the sites of a trial, and some of them are randomized.

Rates alone cannot say what a criterion costs, why screening fails, or what a rescue would change. Here everybody
walks the whole way: a visit after the site has opened, the chart, the invitation, consent, the screening visit,
randomization, follow-up. `build_world` computes once what all replicates share, `simulate_recruitment` runs them,
`compare_scenarios` runs changed trials on common random numbers, `bridge` holds the result beside a model of rates.
"""

from trajsim.trials.recruitment.bridge import Bridge, bridge
from trajsim.trials.recruitment.candidates import candidates
from trajsim.trials.recruitment.eligibility import Eligibility, Everyone, Remembered
from trajsim.trials.recruitment.result import RecruitmentResult
from trajsim.trials.recruitment.run import simulate_recruitment
from trajsim.trials.recruitment.scenarios import Scenario, Scenarios, compare_scenarios, scenarios_from
from trajsim.trials.recruitment.world import World, build_world

__all__ = [
    "Bridge",
    "Eligibility",
    "Everyone",
    "RecruitmentResult",
    "Remembered",
    "Scenario",
    "Scenarios",
    "World",
    "bridge",
    "build_world",
    "candidates",
    "compare_scenarios",
    "scenarios_from",
    "simulate_recruitment",
]
