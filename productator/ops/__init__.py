"""What operating the programs needs: logging, and the server's peculiarities."""
