"""What one sees and does about health."""
