"""Every subject that can be asked about, by name."""

from services.ask.model import Subject
from services.ask.subjects import communities, console, coordination, councils, general, needs, policies, projects, staff

SUBJECTS: dict[str, Subject] = {
    subject.name: subject
    for module in (communities, needs, coordination, policies, projects, staff, general, councils, console)
    for subject in module.SUBJECTS
}
