"""Trials: who is eligible, when they come, and whether a trial will recruit.

The room reads Records and accrual logs and never sees the simulator: `criteria` says who is eligible, `rates` when
patients come to a site, `forecast` when a running trial will be done, `design` what a trial of a given design can show,
`funnel` how many of those invited are lost on the way. `spec` is a trial as its writer puts it down, `feasibility` says
who is eligible on paper, `recruitment` lets people walk from visit to randomization, `page` shows what came out.
"""
