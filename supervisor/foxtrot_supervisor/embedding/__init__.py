"""The supervisor inside an application, which is then the engine of the run."""
