from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0002_samples")]

    operations = [
        migrations.CreateModel(
            name="Pulse",
            fields=[
                ("name", models.CharField(max_length=160, primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("delay_s", models.FloatField(null=True)),
            ],
        ),
    ]
