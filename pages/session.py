"""What happened in this session, step by step?"""

from console.ui import session

session.show()
