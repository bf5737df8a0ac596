"""Both policy files with every key that they may have, none at its default."""

ACTIONS = """\
actions:
  - name: basket
    title: Your basket waits
    issue: grow
    group: reminders
    objective: revenue
    purpose: reminders
    tags: [reminder, seasonal]
    channels:
      email: {cost: 0.02, weight: 1.1, attributes: {long: true}}
      phone: {cost: 2.5}
    value: 20.0
    lever: 1.5
    exempt: notice
    valid: {from: 2026-03-01, to: "2026-11-01T06:00:00+01:00"}
    volume: 500
    response_window: 3d
    stages: [considering]
    reveals:
      - {type: add_to_cart, channel: web, text: what you put into your basket}
      - {topic: shoes}
    says: You left something in your basket.
    trigger: {abandoned: {type: add_to_cart, without: [purchase], after: 4h}, again: 14d}
    eligible: "attributes.country in ['DE', 'AT'] && has(features.spend_30d)"
    applicable: "journey.stage == 'considering'"
    suitable: "scores.churn == null || scores.churn < 0.9"
    attributes: {discount: 0.1, kind: basket}
  - name: stuck
    issue: service
    group: help
    channels: [web]
    value: 1.0
    trigger: {stalled: {stage: buying, for: 3d}}
  - name: welcome
    issue: service
    group: help
    channels: [email]
    value: 1.0
    trigger: {stage: buying}
  - name: how_was_it
    issue: service
    group: help
    channels: [email]
    value: 1.0
    trigger: {case_closed: delivery}
  - name: birthday
    issue: grow
    group: gifts
    channels: [email]
    value: 4.0
    trigger: {date: {attribute: birthday, before: 14d, yearly: true}, again: 200d}
"""

POLICY = """\
zone: Europe/Berlin
unknown_zone: company
caps:
  - {scope: total, limit: "3 per 7d"}
  - {scope: channel, name: email, limit: 1 per local day}
  - {scope: tag, name: reminder, max: 2, per: month}
  - {scope: issue, name: grow, max: 9, per: week}
  - {scope: group, max: 2, window: 2w}
  - {scope: action, name: basket, max: 1, window: 90m}
on_cap: defer
pressure: {limit: 1.2, half_life: 30d, weights: {phone: 0.4, email: 0.2}, other: 0.05}
cool_down:
  after_rejection: {action: 20d, group: 5d}
  actions: {basket: 60d}
  groups: {gifts: 90d}
  after_complaint: 45d
  after_ignored: {count: 4, rest: 21d}
  less_often: {factor: 3}
quiet: {hours: "21:30-07:15", weekdays: [sun], holidays: true, country: DE, channels: [phone, email]}
consent: {unknown: granted, assumed: [email], inbound_unknown: granted, purposes: false}
signals: {minimum_age: 36h, provenance: [declared], identified: false}
service: [service, care]
open_case: {suppresses: [complaint], without_case: 10d}
exempt: {notice: {counts: false}}
not_contacts: [failed]
holdout: {share: 0.1, salt: spring}
withholding: {share: 0.03}
exploration: {method: thompson, epsilon: 0.01}
maturity: {positives: 100, least: 0.1}
experiment:
  salt: autumn
  arms:
    - {name: random, share: 0.02, play: random_eligible}
    - {name: loose, share: 0.02, play: looser_caps, factor: 2}
    - {name: nothing, share: 0.01, play: nothing}
cap_levels: {salt: levels, levels: [{share: 0.05, factor: 0.5}]}
challenger: {share: 0.2, salt: rivals}
increment: {default: 0.3, groups: {gifts: 0.4}}
harm: {contact: 0.03, channels: {phone: 0.6}, rising: 0.4, recent: 14d}
reservation: {expires: 12h}
fallback: {propensity: 0.01, churn: 0.1}
"""
