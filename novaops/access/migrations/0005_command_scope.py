import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('access', '0004_incidents_scope'),
    ]

    operations = [
        migrations.AlterField(
            model_name='token',
            name='scopes',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('read', 'Read health, actions, plans, runs, the audit and incidents'), ('run:safe', 'Run safe actions'), ('run:disruptive', 'Run disruptive actions'), ('request:destructive', 'Request destructive actions'), ('write:incidents', 'Declare incidents and write in them'), ('command:incidents', 'Command incidents: severity, roles, resolving, skipping, merging')], max_length=20), size=None),
        ),
    ]
