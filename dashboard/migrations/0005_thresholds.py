from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('dashboard', '0004_witnesses_and_deliveries'),
    ]

    operations = [
        migrations.AddField(
            model_name='alert',
            name='flaps',
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='alert',
            name='reopened_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.CreateModel(
            name='Threshold',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('environment', models.CharField(max_length=40)),
                ('rule', models.CharField(max_length=60)),
                ('value', models.FloatField()),
                ('for_s', models.PositiveIntegerField()),
                ('changed_by', models.CharField(max_length=150)),
                ('changed_at', models.DateTimeField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('environment', 'rule'), name='threshold_once')],
            },
        ),
    ]
