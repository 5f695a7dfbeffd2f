"""The texts of pages; they live in ``meterhub.texts``, where plugins get theirs too."""

from meterhub.texts import LANGUAGES, Texts, accepted, choose, mark, texts_for

__all__ = ["LANGUAGES", "Texts", "accepted", "choose", "mark", "texts_for"]
