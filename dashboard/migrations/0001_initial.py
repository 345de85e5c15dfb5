import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Series',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('environment', models.CharField(max_length=40)),
                ('service', models.CharField(max_length=20)),
                ('name', models.CharField(max_length=60)),
                ('resource', models.CharField(blank=True, max_length=120)),
                ('unit', models.CharField(blank=True, max_length=20)),
                ('asked_until', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='Lease',
            fields=[
                ('environment', models.CharField(max_length=40, primary_key=True, serialize=False)),
                ('token', models.PositiveBigIntegerField(default=0)),
                ('until', models.DateTimeField()),
                ('due_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='Reading',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('environment', models.CharField(max_length=40)),
                ('service', models.CharField(max_length=20)),
                ('at', models.DateTimeField()),
                ('source', models.CharField(blank=True, max_length=200)),
                ('values', models.JSONField(default=dict)),
                ('failed', models.JSONField(default=list)),
                ('facts', models.JSONField(default=dict)),
                ('spark', models.JSONField(default=list)),
            ],
        ),
        migrations.CreateModel(
            name='Round',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('environment', models.CharField(max_length=40)),
                ('started_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField()),
                ('sources', models.PositiveSmallIntegerField()),
                ('samples', models.PositiveIntegerField()),
                ('failed', models.JSONField(default=list)),
            ],
        ),
        migrations.CreateModel(
            name='Alert',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('environment', models.CharField(max_length=40)),
                ('service', models.CharField(max_length=20)),
                ('rule', models.CharField(max_length=60)),
                ('resource', models.CharField(blank=True, max_length=120)),
                ('title', models.CharField(max_length=120)),
                ('severity', models.CharField(choices=[('crit', 'Critical'), ('warn', 'Degraded')], max_length=4)),
                ('state', models.CharField(choices=[('firing', 'Firing'), ('cleared', 'Cleared')], default='firing', max_length=7)),
                ('source', models.CharField(max_length=60)),
                ('sentence', models.TextField()),
                ('value', models.FloatField()),
                ('threshold', models.FloatField()),
                ('dedup_key', models.CharField(max_length=255)),
                ('started_at', models.DateTimeField()),
                ('fired_at', models.DateTimeField()),
                ('cleared_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ['-fired_at', '-id'],
                'indexes': [models.Index(fields=['environment', '-fired_at'], name='alert_recent')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state', 'firing')), fields=('dedup_key',), name='one_firing_alert')],
            },
        ),
        migrations.CreateModel(
            name='Latest',
            fields=[
                ('series', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='latest', serialize=False, to='dashboard.series')),
                ('at', models.DateTimeField()),
                ('value', models.FloatField()),
            ],
        ),
        migrations.AddConstraint(
            model_name='series',
            constraint=models.UniqueConstraint(fields=('environment', 'service', 'name', 'resource'), name='series_once'),
        ),
        migrations.AddConstraint(
            model_name='reading',
            constraint=models.UniqueConstraint(fields=('environment', 'service'), name='reading_once'),
        ),
        migrations.AddIndex(
            model_name='round',
            index=models.Index(fields=['environment', '-started_at'], name='round_recent'),
        ),
    ]
