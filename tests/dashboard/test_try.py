import pytest, time, json
from django.utils import timezone
from dashboard import collect, models, overview
from novaops import environment as envs


@pytest.mark.django_db(transaction=True)
def test_x(aws):
    env = envs.default()
    for i in range(3):
        t = time.time()
        r = collect.collect(env, early=True)
        print("ROUND", time.time() - t, r.samples, r.failed)
        time.sleep(3)
    for rd in models.Reading.objects.all():
        print(
            rd.service,
            rd.at,
            json.dumps({k: (round(v["value"], 3), v["at"][11:19]) for k, v in rd.values.items()}),
            rd.facts,
            sum(x is not None for x in rd.spark),
        )
    o = overview.build(env)
    print(o.verdict)
    for t in o.tiles:
        print(t.kind, t.state, t.why, t.failures, [(v.label, v.text, v.unit, v.age_s, v.stale) for v in t.values])
    print(o.changes, o.offers)
