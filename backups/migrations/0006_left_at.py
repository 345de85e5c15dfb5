from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('backups', '0005_used_at'),
    ]

    operations = [
        migrations.AddField(
            model_name='database',
            name='left_at',
            field=models.DateTimeField(null=True),
        ),
    ]
