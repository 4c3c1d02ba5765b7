"""People who sign in, their groups, and what they are to tenants."""

from collections.abc import Collection
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters
from unfold.contrib.filters.admin import BooleanRadioFilter, ChoicesDropdownFilter, RelatedDropdownFilter

from accounts.actions import groups, members, users
from accounts.admin.people_forms import AddUserForm, ChangeUserForm, GroupForm, PasswordForm
from accounts.admin.rights import is_above, is_superuser
from accounts.models import Membership, User
from compliance.admin.base import GovernedAdmin, Verbs
from compliance.admin.links import list_url, row_of_links
from compliance.admin.theme import button, column
from compliance.requests import actor_of


@admin.register(User)
class UserAdmin(GovernedAdmin):
    verbs = Verbs(noun="user", create=users.add, change=users.change)
    form = ChangeUserForm
    actions_detail = ("set_password",)
    list_display = ("person", "access", "group_names", "memberships_count", "signed_in", "added")
    list_filter = (
        ("is_active", BooleanRadioFilter),
        ("is_staff", BooleanRadioFilter),
        ("is_superuser", BooleanRadioFilter),
        ("groups", RelatedDropdownFilter),
    )
    search_fields = ("username", "first_name", "last_name", "email")
    search_help_text = "Username, name or e-mail address"
    ordering = ("username",)
    readonly_fields = ("signed_in", "added", "belongings")
    add_fieldsets = (
        (None, {"fields": ("username", "first_name", "last_name", "email", "is_staff")}),
        ("First password", {"fields": ("password1", "password2")}),
    )
    fieldsets = (
        (None, {"fields": ("username", "first_name", "last_name", "email")}),
        ("Access", {"fields": ("is_active", "is_staff", "is_superuser", "groups")}),
        ("State", {"fields": ("signed_in", "added", "belongings")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        rows: QuerySet[User] = (
            super().get_queryset(request).prefetch_related("groups").annotate(tenants=Count("memberships"))
        )
        return rows

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> type[Any]:
        return super().get_form(request, obj, change=change, **({} if obj else {"form": AddUserForm}), **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody changes people with more rights than their own, or could take them over by a new password."""
        above = isinstance(obj, User) and is_above(obj, request)
        return not above and super().has_change_permission(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Only superusers give rights away."""
        rights = () if is_superuser(request) else ("is_superuser", "groups")
        return (*self.readonly_fields, *rights) if obj else ()

    def create_row(self, request: HttpRequest, row: User, form: AddUserForm) -> None:
        users.add(user=row, password=form.cleaned_data["password1"], by=actor_of(request))

    def change_row(self, request: HttpRequest, row: User, form: ChangeUserForm) -> None:
        users.change(user=row, groups=form.cleaned_data.get("groups"), by=actor_of(request))

    def offers(self, row: User) -> Collection[str]:
        return ("set_password",)

    @button("Set password", icon="key", permissions=["change"])
    @method_decorator(sensitive_post_parameters())
    def set_password(self, request: HttpRequest, object_id: str) -> HttpResponse:
        user = self.get_object(request, object_id)
        if user is None:
            raise Http404
        if not self.has_change_permission(request, user):
            raise PermissionDenied
        form = PasswordForm(user, request.POST or None)
        if request.method == "POST" and form.is_valid():
            users.set_password(user=user, password=form.cleaned_data["password1"], by=actor_of(request))
            messages.success(request, f"{user} has a new password; their other sessions have ended.")
            if user == request.user:
                update_session_auth_hash(request, user)
            return self.to_page_of(object_id)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Set the password of {user}",
            "opts": self.opts,
            "original": user,
            "form": form,
            "back": self.page_of(object_id),
        }
        return TemplateResponse(request, "accounts/set_password.html", context)

    @column("Person", header=True, ordering="username")
    def person(self, user: User) -> tuple[str, str]:
        return user.username, user.get_full_name() or user.email

    @column("Access", label={"Superuser": "info", "Admin": "success", "No sign-in": "warning", "Inactive": "danger"})
    def access(self, user: User) -> str:
        if not user.is_active:
            return "Inactive"
        if not user.is_staff:
            return "No sign-in"
        return "Superuser" if user.is_superuser else "Admin"

    @column("Groups")
    def group_names(self, user: User) -> str:
        return ", ".join(group.name for group in user.groups.all()) or "–"

    @column("Tenants", ordering="tenants")
    def memberships_count(self, user: User) -> int:
        return int(getattr(user, "tenants", 0))

    @column("Last sign-in (UTC)", ordering="last_login")
    def signed_in(self, user: User) -> str:
        return f"{user.last_login:%Y-%m-%d %H:%M}" if user.last_login else "Never"

    @column("Added (UTC)", ordering="date_joined")
    def added(self, user: User) -> str:
        return f"{user.date_joined:%Y-%m-%d}"

    @column("Pages")
    def belongings(self, user: User) -> Any:
        return row_of_links(
            (
                (list_url("accounts_membership", user__id__exact=user.pk), "Memberships"),
                (list_url("compliance_auditevent", actor_id=user.pk), "What they did"),
                (list_url("compliance_auditevent", target_kind="user", target_id=user.pk), "What was done to them"),
            )
        )


@admin.register(Membership)
class MembershipAdmin(GovernedAdmin):
    verbs = Verbs(noun="membership", create=members.add, change=members.change, remove=members.remove)
    empty_hint = "Say here what a user is to a tenant."
    list_display = ("person", "tenant_name", "part", "since")
    list_filter = (("tenant", RelatedDropdownFilter), ("user", RelatedDropdownFilter), ("role", ChoicesDropdownFilter))
    list_select_related = ("tenant", "user")
    search_fields = ("user__username", "user__email", "tenant__name", "tenant__slug")
    search_help_text = "Person or tenant"
    autocomplete_fields = ("tenant", "user")
    fieldsets = ((None, {"fields": ("user", "tenant", "role")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: Membership | None = None) -> tuple[str, ...]:
        return ("user", "tenant") if obj else ()

    @column("Person", header=True, ordering="user__username")
    def person(self, membership: Membership) -> tuple[str, str]:
        return membership.user.username, membership.user.get_full_name()

    @column("Tenant", ordering="tenant__name")
    def tenant_name(self, membership: Membership) -> str:
        return membership.tenant.name

    @column("Role", label=True, ordering="role")
    def part(self, membership: Membership) -> str:
        return membership.get_role_display()

    @column("Since (UTC)", ordering="created_at")
    def since(self, membership: Membership) -> str:
        return f"{membership.created_at:%Y-%m-%d}"


@admin.register(Group)
class GroupAdmin(GovernedAdmin):
    """Only superusers write groups: whoever could, would give their own group every right. Others may look."""

    verbs = Verbs(noun="group", create=groups.add, change=groups.change, remove=groups.remove)
    form = GroupForm
    empty_hint = "A group gives permissions to users who are no superusers."
    list_display = ("name", "members", "permissions_count")
    search_fields = ("name",)
    ordering = ("name",)
    fieldsets = ((None, {"fields": ("name", "permissions")}),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        counts = {"people": Count("user", distinct=True), "rights": Count("permissions", distinct=True)}
        rows: QuerySet[Group] = super().get_queryset(request).annotate(**counts)
        return rows

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_superuser(request) and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_superuser(request) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_superuser(request) and super().has_delete_permission(request, obj)

    def create_row(self, request: HttpRequest, row: Group, form: GroupForm) -> None:
        groups.add(group=row, permissions=form.cleaned_data["permissions"], by=actor_of(request))

    def change_row(self, request: HttpRequest, row: Group, form: GroupForm) -> None:
        groups.change(group=row, permissions=form.cleaned_data["permissions"], by=actor_of(request))

    @column("Members", ordering="people")
    def members(self, group: Group) -> int:
        return int(getattr(group, "people", 0))

    @column("Permissions", ordering="rights")
    def permissions_count(self, group: Group) -> int:
        return int(getattr(group, "rights", 0))
