"""What is written at each door: its command or its card, who may use it, and what stands behind it.

The signs hang from the start, and the command menus are made of them; what they name is imported when somebody comes.
"""
