"""Messages of the wire to the program's nouns and back. Decides nothing but what a message can mean."""
