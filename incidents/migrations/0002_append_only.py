"""PostgreSQL itself refuses to change or remove what a timeline tells; only its star may change."""

from django.db import migrations

REFUSE = """
CREATE FUNCTION incidents_timeline_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The timeline is append-only: % refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER incidents_timeline_append_only
    BEFORE DELETE OR UPDATE OF incident_id, at, recorded_at, kind, author_id, text, url, data, dedup_key
    ON incidents_timelineentry FOR EACH ROW EXECUTE FUNCTION incidents_timeline_refuse();
"""
ALLOW = """
DROP TRIGGER incidents_timeline_append_only ON incidents_timelineentry;
DROP FUNCTION incidents_timeline_refuse();
"""


class Migration(migrations.Migration):
    dependencies = [("incidents", "0001_initial")]
    operations = [migrations.RunSQL(REFUSE, ALLOW)]
