"""The real guest: a Debian root folder in which apt really lists and really installs."""
