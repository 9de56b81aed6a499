"""The page that a trial manager reads in two minutes, and the JSON that says the same to programs.

A simulation leaves thousands of numbers; whoever has to decide wants four answers: will it recruit, by when, why not,
and what helps. The page gives them in words first, then shows what they rest on, and says of what is missing why.
`PageContents` gathers the results, `write_page` writes one file that needs no other, `page_json` is its twin.
"""

from trajsim.trials.page.contents import Feasibility, PageContents, Provenance
from trajsim.trials.page.rendering import render_page, write_page
from trajsim.trials.page.twin import KEYS, page_json

__all__ = [
    "KEYS",
    "Feasibility",
    "PageContents",
    "Provenance",
    "page_json",
    "render_page",
    "write_page",
]
