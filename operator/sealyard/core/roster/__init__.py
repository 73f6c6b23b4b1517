"""What follows a ReleaseTarget: its releases, channels and devices, and the input that they make.

`entries` is what is kept of each, `naming` says what a channel names, `index_document` and
`grant_document` what the Jobs are given, and `roster` puts it together: once for each change, and
not for each look at one of ten thousand devices.
"""

from sealyard.core.roster.entries import ChannelEntry, DeviceEntry, Entry, ReleaseEntry, TargetEntry
from sealyard.core.roster.grant_document import GrantDocument, Share
from sealyard.core.roster.index_document import IndexDocument
from sealyard.core.roster.naming import Naming
from sealyard.core.roster.roster import Roster, View

__all__ = [
    "ChannelEntry",
    "DeviceEntry",
    "Entry",
    "GrantDocument",
    "IndexDocument",
    "Naming",
    "ReleaseEntry",
    "Roster",
    "Share",
    "TargetEntry",
    "View",
]
