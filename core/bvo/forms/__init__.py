"""Forms of the web UI, made from marshmallow schemas: what they ask, and what was answered. Templates draw them.

`webui/form.html` has the macros. Pages of plugins use them as the pages of entity types do:

    form = Form.of(schema).entered(request.form)
    try:
        data = form.data()
    except ValidationError as error:
        form = form.refused(error)
"""

from __future__ import annotations

from .controls import Control, Option, choices_of
from .form import Form, Overtaken
from .rows import MAX_OPTIONS, label_of, search

__all__ = ["MAX_OPTIONS", "Control", "Form", "Option", "Overtaken", "choices_of", "label_of", "search"]
