"""What runs on a lab node itself; copied there, so nothing here imports the rest of the package."""
