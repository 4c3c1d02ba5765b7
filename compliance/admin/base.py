"""The two kinds of admin pages: those that only read, and those whose every write goes through an action."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from django import forms
from django.contrib import messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db import DataError, models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode

from compliance.admin import names, refusals
from compliance.admin.forms import GovernedForm, ReasonForm, refused
from compliance.admin.theme import ChangeList, ModelAdmin, TabularInline
from compliance.requests import actor_of

Action = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verbs:
    """The actions that write a table; `noun` is the keyword that they take the row by. Without one nobody may."""

    noun: str
    create: Action | None = None
    change: Action | None = None
    remove: Action | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An action behind a button, confirmed on a page of its own. `title` has a place for the row's name; `form` may ask
    for more than a reason."""

    action: Action
    title: str
    text: str
    verb: str
    done: str
    grave: bool = False
    form: type[ReasonForm] = ReasonForm


class PageOfRows(ChangeList):
    """Lets the admin fetch in bulk what the rows of one page show."""

    @property
    def page(self) -> "_Admin":
        return cast(_Admin, self.model_admin)

    def get_results(self, request: HttpRequest) -> None:
        try:
            super().get_results(request)
        except DataError as error:  # a value in the address that no column can hold, such as NUL
            raise IncorrectLookupParameters(error) from error
        if not self.model_admin.show_full_result_count:
            self.full_result_count = self.result_count  # the heading then does not offer to "show all" of it
        self.result_list: Any = list(self.result_list)
        self.page.prepare(self.result_list)


class _Admin(ModelAdmin):
    list_per_page = 50
    show_facets = ShowFacets.NEVER  # counts of every choice would read whole tables
    empty_hint = ""
    """What to do where a list has no rows yet."""
    list_filter_submit = True
    list_fullwidth = True
    actions = None
    empty_value_display = "–"

    def prepare(self, rows: Sequence[Any]) -> None:
        """Fetches what columns need about `rows` all at once; called with the rows of a page before they are shown."""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return PageOfRows

    # The audit log is the record of what was done; Django's own log would be a second, lesser one.
    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return None

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return None

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        return None

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseRedirect:
        """What happened to the row, in the audit log."""
        query = urlencode({"target_kind": str(self.opts.model_name), "target_id": object_id})
        return HttpResponseRedirect(f"{reverse('admin:compliance_auditevent_timeline')}?{query}")

    def has_history(self, request: HttpRequest) -> bool:
        """Whether whoever is signed in may see what was done to a row."""
        return request.user.has_perm("compliance.view_auditevent")


class ReadOnlyAdmin(_Admin):
    """For rows that nobody writes here."""

    show_full_result_count = False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        shown = {"show_history": self.has_history(request), **(extra_context or {})}
        return super().change_view(request, object_id, form_url, shown)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class GovernedAdmin(_Admin):
    """Routes create, change and delete to the actions in `verbs`; nothing here saves a row by itself."""

    verbs: ClassVar[Verbs]
    steps: ClassVar[dict[str, Step]] = {}
    form = GovernedForm
    change_form_before_template = "admin/seen.html"
    warn_unsaved_form = True

    def __init__(self, model: Any, admin_site: Any) -> None:
        if not isinstance(getattr(self, "verbs", None), Verbs):
            raise ImproperlyConfigured(f"{type(self).__name__} names no verbs: say which actions write {model}.")
        super().__init__(model, admin_site)

    # --- who may -------------------------------------------------------------------------------------------------

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.verbs.create is not None and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.verbs.change is not None and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.verbs.remove is not None and super().has_delete_permission(request, obj)

    # --- choices -------------------------------------------------------------------------------------------------

    def formfield_for_foreignkey(self, db_field: models.ForeignKey[Any, Any], request: Any, **kwargs: Any) -> Any:
        field: Any = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if field is not None:
            field.label_from_instance = names.label
        return field

    # --- writes --------------------------------------------------------------------------------------------------

    def create_row(self, request: HttpRequest, row: Any, form: Any) -> None:
        perform(self.verbs.create, self.verbs.noun, row, request)

    def change_row(self, request: HttpRequest, row: Any, form: Any) -> None:
        perform(self.verbs.change, self.verbs.noun, row, request)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        (self.change_row if change else self.create_row)(request, obj, form)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        for formset in formsets:
            self.save_formset(request, form, formset, change)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        verbs = next(i.verbs for i in self.inlines if issubclass(i, GovernedInline) and i.model is formset.model)
        formset.save(commit=False)
        for row in formset.deleted_objects:
            perform(verbs.remove, verbs.noun, row, request)
        for row, _fields in formset.changed_objects:
            perform(verbs.change, verbs.noun, row, request)
        for row in formset.new_objects:
            perform(verbs.create, verbs.noun, row, request)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        perform(self.verbs.remove, self.verbs.noun, obj, request)

    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> None:
        for row in queryset:
            self.delete_model(request, row)

    # --- refusals ------------------------------------------------------------------------------------------------

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """The row's page. What the action refuses has been rolled back, and is shown in the form."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except refusals.REFUSALS as error:
            request.META["refusal"] = error
            return super().changeform_view(request, object_id, form_url, extra_context)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> type[Any]:
        form: type[forms.BaseForm] = super().get_form(request, obj, change=change, **kwargs)
        error = request.META.get("refusal")
        return refused(form, error) if error is not None else form

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except refusals.REFUSALS as error:
            messages.error(request, refusals.explain(error))
            return self.to_page_of(object_id)

    # --- buttons -------------------------------------------------------------------------------------------------

    def offers(self, row: Any) -> Collection[str]:
        """Which of the buttons make sense for the row as it is now."""
        return set(self.steps)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        row = self.get_object(request, str(object_id))
        offered = self.offers(row) if row is not None else ()
        buttons: list[Any] = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        return [each for each in buttons if each.method.original_function_name in offered]

    def may_take(self, request: HttpRequest, step: str) -> bool:
        """Whether whoever is signed in may press that button."""
        return self.has_change_permission(request)

    def called(self, row: Any) -> str:
        """What the row's own pages call it."""
        return str(row)

    def means(self, step: str, row: Any) -> str:
        """What a step would mean for this very row, where its text cannot know."""
        return ""

    def render_change_form(self, request: Any, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        if (row := context.get("original")) is not None:
            context["subtitle"] = self.called(row)
        return super().render_change_form(request, context, *args, **kwargs)

    def take(self, step: str, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks for confirmation and a reason, then performs the step."""
        row, chosen = self.get_object(request, object_id), self.steps[step]
        if row is None:
            raise Http404
        if not self.may_take(request, step):
            raise PermissionDenied
        form = chosen.form(request.POST or None, row=row, required=chosen.grave)
        if request.method == "POST" and form.is_valid():
            self._perform_step(chosen, request, row, form.cleaned_data["reason"])
            return self.to_page_of(object_id)
        return self._confirmation(request, row, chosen, form, means=self.means(step, row))

    def _perform_step(self, step: Step, request: HttpRequest, row: Any, reason: str) -> None:
        try:
            perform(step.action, self.verbs.noun, row, request, reason=reason)
        except refusals.REFUSALS as error:
            messages.error(request, refusals.explain(error))
        else:
            messages.success(request, step.done.format(self.called(row)))

    def _confirmation(
        self, request: HttpRequest, row: Any, step: Step, form: ReasonForm, means: str = ""
    ) -> TemplateResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": step.title.format(self.called(row)),
            "opts": self.opts,
            "original": row,
            "step": step,
            "means": means,
            "form": form,
            "back": self.page_of(str(row.pk)),
        }
        return TemplateResponse(request, "admin/confirm.html", context)

    def to_page_of(self, object_id: str) -> HttpResponseRedirect:
        return HttpResponseRedirect(self.page_of(object_id))

    def page_of(self, object_id: str) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=(object_id,))


class GovernedInline(TabularInline):
    """Rows inside another row's page; they are written with the actions in `verbs`, too."""

    verbs: ClassVar[Verbs]
    extra = 0
    show_change_link = True


def perform(action: Action | None, noun: str, row: Any, request: HttpRequest, **details: Any) -> Any:
    """Calls an action with the row and the person who is signed in."""
    if action is None:
        raise PermissionDenied(f"no action does this to a {noun}")
    return action(**{noun: row}, by=actor_of(request), **details)
