from engine.data.documents import presets
from engine.data.sources import SOURCES
from engine.experiment import preset_names, read


def test_presets_that_need_nothing_come_before_those_that_need_a_file_or_a_download():
    names = [preset.name for preset in presets()]
    assert sorted(names) == preset_names() and names[0] == "digits-cnn"
    there = [SOURCES[read(name).experiment.data.source].at_hand() for name in names]
    assert there == sorted(there, reverse=True) and {"airline-lstm", "mnist-lenet", "imdb-lstm"} <= set(
        names[there.index(False) :]
    )
