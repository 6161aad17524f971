"""What each trick of the text buys: the measurements and the page of docs/ladder.md."""
