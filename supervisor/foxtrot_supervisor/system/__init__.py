"""What the kernel tells about processes and peers. Standard library only."""
