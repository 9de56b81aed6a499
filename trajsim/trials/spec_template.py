"""The spec that `trajsim recruit --init` writes: every key once, with what it means and what it is by default."""

from typing import Final

TEMPLATE: Final = """\
# A trial for `trajsim recruit`. It runs as it stands on patients of the bundled modules. Keys that are commented out
# show their defaults or an example.
title: A new drug after type 2 diabetes is not controlled

# Who may take part: the criteria themselves, or the name of a file beside this one (`criteria: criteria.yaml`).
criteria:
  code_sets:
    diabetes: {title: type 2 diabetes, codes: ["SNOMED-CT|44054006"]}
    stroke: {title: ischemic stroke, codes: ["SNOMED-CT|422504002"]}
    a1c: {title: HbA1c, codes: ["LOINC|4548-4"]}
  entry: {any_of: [{domain: condition, codes: diabetes}]}
  rules:
    - name: 40 to 80 years
      patient: {age: 40..80}
    - name: HbA1c of 6.5 to 10 %
      event: {domain: measurement, codes: a1c, value: 6.5..10}
      window: "-365..0"
    - name: no stroke so far
      event: {domain: condition, codes: stroke}
      occurrence: none
  # keep_modules: [keep_diabetes.json]   # keep modules of Synthea, whose criteria stand behind these
# waived: [no stroke so far]         # criteria that are not applied
disease: [entry event]               # who has the disease, to compare the enrolled with; default: everybody

recruitment:
  start: 2022-01-01                  # first day on which a site may open
  planned_end: 2023-06-30            # last day of recruitment by plan
  horizon: 2025-06-29                # last day that is simulated; default: two years after the plan
  target: 100                        # to be randomized
  # stops_at_target: true
  # resample: poisson                # the records are a sample of the population; fixed: they are the population
  scale: 40                          # how many people one person of the records stands for
  spread_days: 365                   # all but the first of them live that life up to so many days later; default: 0
  # visit_classes: [ambulatory, wellness]   # encounters at which charts are looked at; default: all
  # catchment: share                 # or distance: people go to the nearest site within its radius_km
  # site_variation: 0.0              # coefficient of variation between sites of how many people they reach

sites:                               # or `sites_file: sites.csv`, a row a site, columns as the keys here
  - name: Boston
    share: 0.10                      # of the population (or of the people of `state` and `city`) who would come here
    # state: Massachusetts
    # city: Boston
    # latitude: 42.36                # needed where `catchment` is distance; else only for the distance people travel
    # longitude: -71.06
    # radius_km: 50
    opens: 2022-02-01
    delay: {median_days: 30, p90_days: 90}   # lognormal; or a number of days
    # closes: 2023-06-30             # last day on which somebody is approached
    cap: 80                          # most that it may randomize
    capacity_per_week: 3             # screening visits
    lag: {median_days: 10, p90_days: 21}     # from consent to the earliest screening visit
  - name: Worcester
    share: 0.05
    opens: 2022-04-01
    delay: 45
    capacity_per_week: 1
    lag: 14

funnel:                              # a number, or {low, median, high}: quartiles over trials, drawn once a replicate
  # review: 1.0                      # the chart of somebody who comes to a visit is looked at
  # contact: 1.0                     # somebody whose chart passes is reached and invited
  consent: {low: 0.44, median: 0.70, high: 0.96}     # the invited come to be screened (Toerien 2009)
  # per_decade: 0.0                  # log-odds of consent for each decade above 60, as -0.10
  # female: 0.0                      # log-odds of consent of women, as 0.10
  # per_10_km: 0.0                   # log-odds of consent for each 10 km to the site, as -0.05
  # per_visit: 0.0                   # log-odds of consent for each visit a year, as -0.02 ...
  # visits_per_year: 0               # ... that the protocol asks for, as 6
  eligible: {low: 0.49, median: 0.70, high: 0.88}    # nothing outside the records excludes at screening (Toerien 2009)
  completes: {low: 0.77, median: 0.90, high: 1.00}   # the eligible are randomized (Toerien 2009)
  # invitations: 1                   # how often somebody is invited who is not reached, or finds no screening visit

# screening:
#   max_wait_days: 90                # longest wait for a screening visit that people accept
#   run_in_days: 0
#   unknown: {Name of a criterion: 0.8}      # chance that what no chart answers turns out to be yes
#   labs:
#     - name: eGFR
#       codes: ["33914-3"]
#       low: 45
#       high: 120
#       analytical_cv: 0.03
#       within_person_cv: 0.05
#       decides: Name of a criterion # the measured value replaces the chart's answer
#       unmeasured: {median: 80, p90: 105}   # for people without a recorded value; default: like the others

randomization:
  block_sizes: [4, 6]
  strata: [site]                     # of site, sex, age
  # age_cut: 65

arms:                                # the first is the control
  - {name: control, ratio: 1}
  - {name: treatment, ratio: 1, hazard_ratio: 0.75, delay_days: 90}

endpoint:
  per_year: 0.08                     # hazard without treatment; or what the records hold:
  # table: conditions
  # codes: ["230690007"]
  # counts_death: true

follow_up:
  # days: 730                        # of each person; default: to the end of the trial
  events: 100                        # the trial ends with this event
  dropout_per_year: 0.05
  # max_days: 1826                   # longest time after the planned end

# competing:
#   - {name: Another trial, probability: 0.1, since: 2022-06-01, until: 2023-06-01, sites: [Boston]}

costs:
  currency: USD
  per_site: 30000
  per_site_month: 1500
  per_screening: 1200
  per_randomized: 4000
  per_follow_up_year: 2500
"""
