"""How fast sertag is on this machine, and where its time goes; nothing here is imported by a scan."""
