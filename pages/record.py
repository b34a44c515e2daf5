"""What do we know about this one, and from where?"""

from console.ui import record

record.show()
