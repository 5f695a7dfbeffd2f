"""The field side: links, collectors, lines, envelopes, codecs and dialogues. No meter is known here."""
