"""Databases as earlier states of Openbook left them, with data: `<commit>.sql.gz`."""
