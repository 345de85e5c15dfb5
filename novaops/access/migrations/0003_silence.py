from django.db import migrations


def grant(apps, schema_editor):
    """Whoever could act on an alert may also silence it."""
    Grant = apps.get_model("access", "Grant")
    acting = Grant.objects.filter(verb="join").values_list("group_id", "environment")
    Grant.objects.bulk_create(
        [Grant(group_id=group, environment=place, verb="silence") for group, place in acting], ignore_conflicts=True
    )


class Migration(migrations.Migration):

    dependencies = [("access", "0002_tokens")]

    operations = [migrations.RunPython(grant, migrations.RunPython.noop)]
