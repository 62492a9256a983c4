"""What rag needs from outside. Every method raises Unavailable when its store is away; ids of another tenant are never found."""

from rag.ports.accounts import Conversations, References, Reports
from rag.ports.custody import Custody
from rag.ports.indexes import Lexical, Vectors
from rag.ports.ledger import Announcer, Intake, Job, Library, Positions, Workbench
from rag.ports.models import Answerer, Encoder, Kind, Reranker
from rag.ports.originals import Blobs, Parser, Upload
from rag.ports.tunings import Tunings

__all__ = [
    "Announcer",
    "Answerer",
    "Blobs",
    "Conversations",
    "Custody",
    "Encoder",
    "Intake",
    "Job",
    "Kind",
    "Lexical",
    "Library",
    "Parser",
    "Positions",
    "References",
    "Reports",
    "Reranker",
    "Tunings",
    "Upload",
    "Vectors",
    "Workbench",
]
