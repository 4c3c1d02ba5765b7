"""Tables on their way out: as CSV, as a spreadsheet, and as a download that is sent while it is made."""
