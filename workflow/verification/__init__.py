"""What `foreframe verify` is made of: reading the lock, hashing, comparing, and naming the cure.

Nothing here asks DVC what it believes: its state database trusts a file's size and time, and its
cache and remotes are trusted unread. Only bytes count.
"""
