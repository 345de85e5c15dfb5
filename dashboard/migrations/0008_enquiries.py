"""What pages ask of the outside by way of a worker."""

import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('dashboard', '0007_silences_and_maintenance'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Enquiry',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('environment', models.CharField(max_length=40)),
                ('service', models.CharField(max_length=20)),
                ('subject', models.CharField(max_length=20)),
                ('params', models.JSONField(default=dict)),
                ('asked_at', models.DateTimeField()),
                ('state', models.CharField(choices=[('asked', 'Asked'), ('looking', 'Looking'), ('told', 'Told'), ('failed', 'Failed')], default='asked', max_length=8)),
                ('query_id', models.CharField(blank=True, max_length=100)),
                ('sentence', models.TextField(blank=True)),
                ('answer', models.JSONField(default=dict)),
                ('told_at', models.DateTimeField(null=True)),
                ('asked_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-asked_at'],
                'indexes': [models.Index(fields=['environment', 'service', 'subject', '-asked_at'], name='enquiry_recent')],
            },
        ),
    ]
