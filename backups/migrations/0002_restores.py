"""The records of restores."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('runbook', '0004_judgements'),
        ('backups', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Restore',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('environment', models.CharField(max_length=40)),
                ('incident', models.IntegerField(db_index=True, null=True)),
                ('drill', models.BooleanField(default=False)),
                ('kind', models.CharField(choices=[('snapshot', 'snapshot'), ('time', 'point in time')], max_length=8)),
                ('source', models.CharField(max_length=300)),
                ('source_at', models.DateTimeField(null=True)),
                ('instance', models.CharField(max_length=63)),
                ('state', models.CharField(choices=[('under-way', 'Under way'), ('proven', 'Proven'), ('failed', 'Failed')], default='under-way', max_length=10)),
                ('sentence', models.TextField(blank=True)),
                ('asked_at', models.DateTimeField()),
                ('available_at', models.DateTimeField(null=True)),
                ('proven_at', models.DateTimeField(null=True)),
                ('version', models.CharField(blank=True, max_length=60)),
                ('same_schema', models.BooleanField(null=True)),
                ('tables', models.JSONField(default=list)),
                ('newest_at', models.DateTimeField(null=True)),
                ('lost_rows', models.PositiveBigIntegerField(null=True)),
                ('lost_from', models.DateTimeField(null=True)),
                ('lost_until', models.DateTimeField(null=True)),
                ('rto_s', models.FloatField(null=True)),
                ('rpo_s', models.FloatField(null=True)),
                ('run', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='restore', to='runbook.run')),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['environment', '-id'], name='restore_recent')],
            },
        ),
    ]
