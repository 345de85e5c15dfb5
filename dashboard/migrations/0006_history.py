"""Hours whose samples are to be rolled up, and deployments beyond what ECS remembers."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('dashboard', "0005_thresholds"),
    ]

    operations = [
        migrations.CreateModel(
            name='Unrolled',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('hour', models.DateTimeField(db_index=True)),
            ],
        ),
        migrations.CreateModel(
            name='Deployment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('environment', models.CharField(max_length=40)),
                ('service', models.CharField(max_length=20)),
                ('deployment_id', models.CharField(max_length=60)),
                ('task_definition', models.CharField(max_length=255)),
                ('status', models.CharField(blank=True, max_length=20)),
                ('rollout_state', models.CharField(blank=True, max_length=20)),
                ('reason', models.TextField(blank=True)),
                ('desired', models.PositiveIntegerField()),
                ('running', models.PositiveIntegerField()),
                ('failed_tasks', models.PositiveIntegerField()),
                ('at', models.DateTimeField()),
                ('seen_at', models.DateTimeField()),
            ],
            options={
                'ordering': ['-at', '-id'],
                'indexes': [models.Index(fields=['environment', 'service', '-at'], name='deployment_recent')],
                'constraints': [models.UniqueConstraint(fields=('environment', 'service', 'deployment_id'), name='deployment_once')],
            },
        ),
        # What the rollups may lack of the time before: they are brought in step once.
        migrations.RunSQL(
            "INSERT INTO dashboard_unrolled (hour) SELECT DISTINCT date_trunc('hour', at, 'UTC') FROM dashboard_sample",
            migrations.RunSQL.noop,
        ),
    ]
