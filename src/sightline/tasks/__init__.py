"""What can be trained: one folder a task; none imports another."""
