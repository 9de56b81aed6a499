"""Small shares of patients or rows that show what is rare: one of so many, by a number that depends on their key alone.

Records do not say everything that FHIR can (who declined to be measured, who has a suffix to the name); software that
reads FHIR must expect it all the same. Each share is small, listed in `docs/concepts/fhir.md`, and the same whenever
the same patient is written.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fhir_export.shard import Section, Shard


@dataclass(frozen=True)
class Share:
    """One row of so many.

    Attributes:
        one_of: Of how many.
        xor: Constant that makes the choice independent of other shares.
    """

    one_of: int
    xor: int


# Of patients.
DECLINED_SEX = Share(32, 0x632BE59BD9B4E019)  # declined to say what sex to record
SUFFIX = Share(24, 0x8F2D4B6A1C3E5970)  # of men: "Jr."
OLD_NAME = Share(4, 0x3C79AC492BA7B653)  # of those with a maiden name: another former name
OLD_ADDRESS = Share(16, 0x1C69B3F74AC4AE35)  # moved from another street of the same city
TRIBE = Share(2, 0xA24BAED4963EE407)  # of American Indians and Alaska Natives: enrolled in a tribe
REFUSED_DOSE = Share(16, 0x5851F42D4C957F2F)  # declined an influenza vaccine at one visit
OCCUPATION = Share(16, 0x2D358DCCAA6C78A5)  # of adults: their occupation is written down
PREGNANCY_INTENT = Share(8, 0x8BB84B93962EACC9)  # of women: asked, between 15 and 49, whether they want a child
CARE_PREFERENCE = Share(8, 0x9E6C63D0876A9A35)  # of adults: what they want of those who care for them
TREATMENT_PREFERENCE = Share(8, 0xB5297A4D3C2E1F07)  # of adults: what they want of a treatment
DIRECTIVE = Share(4, 0xC2B2AE3D27D4EB4F)  # of people of 65 and more: left an advance directive
AVERAGE_PRESSURE = Share(8, 0x165667B19E3779F9)  # of those whose blood pressure was measured: its average
PACK_YEARS = Share(4, 0x27D4EB2F165667C5)  # of those who smoke or did: how much
DECLINED_MEASURES = Share(32, 0x4B33A62ED433D4A3)  # declined to be measured at one visit
# Of rows.
CANONICAL_FORM = Share(8, 0x9216D5D98979FB1D)  # answered questionnaires: name the form by a canonical address
ROOM_AIR = Share(4, 0x4D5A2DA51DE1AA47)  # of oxygen saturations: say that the patient breathed room air
NO_OXYGEN_READ = Share(64, 0xF1357AEA2E62A9C5)  # of oxygen saturations: nobody wrote down what the patient breathed
LINKED_NOTE = Share(64, 0x14057B7EF767814F)  # notes behind an address
KEY_IMAGE = Share(8, 0xE7037ED1A0B428D9)  # imaging studies: a report shows an image
REPORTED = Share(64, 0x9FB21C651E98DF25)  # prescriptions told by the patient


def chosen(shard: Shard, section: Section, share: Share) -> NDArray[np.bool_]:
    """Which rows of a section belong to a share."""
    return np.asarray(shard.words(section, share.xor) % np.uint64(share.one_of) == 0)
