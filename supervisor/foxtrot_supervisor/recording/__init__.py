"""Raw recorder: reads the frames rings of workers and writes them as segments that `replay` reads."""
