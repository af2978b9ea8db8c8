"""A message on its way: collected from Postfix, decided on, recorded, and changed."""
