"""The four roles and what each may do everywhere."""

from django.db import migrations

from novaops.access.policy import ROLES


def grant(apps, schema_editor):
    group_model, grant_model = apps.get_model("auth", "Group"), apps.get_model("access", "Grant")
    for role, verbs in ROLES.items():
        group, _ = group_model.objects.get_or_create(name=role)
        for verb in verbs:
            grant_model.objects.get_or_create(group=group, verb=verb.value)


class Migration(migrations.Migration):
    dependencies = [("access", "0001_initial"), ("auth", "0012_alter_user_first_name_max_length")]
    operations = [migrations.RunPython(grant, migrations.RunPython.noop)]
