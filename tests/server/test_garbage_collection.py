"""Collections of all objects examine few, and leave nothing behind for ever. Each test runs in a process of its own."""

import gc
import subprocess
import sys
from textwrap import dedent

from tessera_gql.garbage_collection import pause_garbage_collection


def run(program: str) -> None:
    subprocess.run([sys.executable, "-c", dedent(program)], check=True, timeout=60)


def test_what_survives_a_collection_of_all_objects_is_excluded_from_the_next() -> None:
    run("""
        import gc
        from tessera_gql.garbage_collection import tune_garbage_collection

        tune_garbage_collection()
        before = gc.get_freeze_count()
        kept = [[] for _ in range(5_000)]
        gc.collect()
        assert before + 5_000 < gc.get_freeze_count() < before + 10_000
        assert len(gc.get_objects()) < 5_000
        """)


def test_many_objects_that_survive_are_excluded_without_being_examined() -> None:
    run("""
        import gc
        from tessera_gql.garbage_collection import tune_garbage_collection

        tune_garbage_collection()
        before = gc.get_freeze_count()
        kept = [[] for _ in range(20_000)]
        gc.collect(1)
        assert gc.get_freeze_count() == before
        kept += [[] for _ in range(20_000)]
        gc.collect(1)
        assert gc.get_freeze_count() > before + 40_000
        """)


def test_cycles_among_many_excluded_objects_are_collected() -> None:
    run("""
        import gc
        from weakref import ref
        from tessera_gql import garbage_collection

        class Node: pass

        garbage_collection.MAX_SURVIVORS, garbage_collection.COUNTED = 1_000, 1
        garbage_collection.tune_garbage_collection()
        kept = [[] for _ in range(500)]
        node = Node()
        node.itself, reference = node, ref(node)
        gc.collect()  # excludes the node
        del node
        gc.collect()
        assert reference() is not None
        kept += [[] for _ in range(1_000)]
        gc.collect()  # excludes more than the limit
        gc.collect()  # ends the exclusion
        gc.collect()
        assert reference() is None
        excluded = gc.get_freeze_count()
        assert excluded > 1_500  # anew
        gc.collect()
        assert gc.get_freeze_count() >= excluded
        """)


def test_a_runtime_that_is_tuned_twice_has_one_callback() -> None:
    run("""
        import gc
        from tessera_gql.garbage_collection import tune_garbage_collection

        tune_garbage_collection()
        tune_garbage_collection()
        assert len(gc.callbacks) == 1
        """)


def test_the_collector_is_paused_until_the_outer_pause_ends() -> None:
    with pause_garbage_collection():
        with pause_garbage_collection():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
