"""The pictures of a report, drawn with matplotlib's object interface: no window, no global figure."""
