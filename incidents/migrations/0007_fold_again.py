"""Lets the search read again what it now splits into other words: scripts without spaces, composed and wide letters."""

from django.db import migrations

LETTERS = (
    r"[\u0300-\u036f\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef"
    r"\U00020000-\U0003134f]"
)
AGAIN = f"""
UPDATE incidents_timelineentry SET folded = false WHERE folded AND (text ~ '{LETTERS}' OR incident_id IN (
    SELECT id FROM incidents_incident WHERE title ~ '{LETTERS}' OR impact ~ '{LETTERS}'))
"""  # noqa: S608 (a constant)


class Migration(migrations.Migration):
    dependencies = [("incidents", "0006_tabs")]
    operations = [migrations.RunSQL(AGAIN, migrations.RunSQL.noop)]
