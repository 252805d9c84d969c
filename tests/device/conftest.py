"""The fake device, and what it needs."""

from tests.fake_device import fake_device as fake_device
from tests.fake_device import folder_of_texts as folder_of_texts
