"""The record of a training as the page shows it: an epoch of a picture is a run."""
