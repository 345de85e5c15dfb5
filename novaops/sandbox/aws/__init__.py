"""The simulated AWS: moto's servers, with our own stores where moto lacks, errs or answers at once."""
